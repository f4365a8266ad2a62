"""One file per runtime, each with the same functions: `convert` writes its file, `load` makes it a function of images.

A third, `row_outputs`, is for those that can show what is inside: an error can then name the rows that went wrong.
"""
