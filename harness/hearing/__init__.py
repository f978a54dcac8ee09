"""A user's own run, heard: what listeners record, and what they hand to the judge."""
