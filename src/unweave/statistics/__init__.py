"""Statistics of arrays of scores and of tables of studies, which know nothing of studies."""
