"""One evaluation held against the truth, link by link, becomes rows with verdicts."""
