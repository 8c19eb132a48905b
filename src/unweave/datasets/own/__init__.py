"""Images of users: arrays, files, folders, and datasets of other libraries."""
