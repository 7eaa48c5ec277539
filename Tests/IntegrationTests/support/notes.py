"""Lines for the person who reads the run: seeds, accounts and counts. Printed at its end, also when all is well."""

NOTES = []


def note(text):
    NOTES.append(text)
    print(text)
