"""Images in: finding, checking, opening and preparing photos. Knows no network."""
