from record import Record
def page(records, where): return "# Models\n"
