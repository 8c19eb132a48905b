"""What users hand in, read as NumPy arrays: arrays, tensors and data frames of any library."""

from unweave._tables.arrays import as_array, plain
from unweave._tables.codes import CodeTable, floats_of
from unweave._tables.columns import Column, level_column, word
from unweave._tables.rows import (
    column_names,
    default_index,
    index_of,
    matching_columns,
    matching_rows,
)
from unweave._tables.table import Table, as_table

__all__ = [
    "CodeTable",
    "Column",
    "Table",
    "as_array",
    "column_names",
    "default_index",
    "floats_of",
    "index_of",
    "level_column",
    "matching_columns",
    "matching_rows",
    "plain",
    "as_table",
    "word",
]
