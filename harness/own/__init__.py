"""People's own functions: heard, judged, written as a case. What `import gradaccord` offers beside the contract."""
