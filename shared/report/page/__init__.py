"""The page of a plan or a report; `page` makes it, the templates stand beside it."""
