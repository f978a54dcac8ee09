"""The number systems that the hand-written engine runs on."""
