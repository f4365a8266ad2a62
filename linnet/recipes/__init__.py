"""Recipes of published results, one file per source: values that `linnet train --recipe NAME` trains by."""
