"""`report.html`: a run as one page that needs no network: what is off at the top, each case with its graph drawn.

`report.py` gathers, `sheets.py` is what a case's part tells, `drawing.py` draws graphs and `plotting.py` paths;
`page.html` is the template. `beside.py` is the page of two functions that are compared, `compared.html` its template.
"""
