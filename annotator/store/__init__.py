"""The database of a workspace: SQLAlchemy models, and plain dataclasses in and out.

`annotator.store.engine.open_store` is the door. While a run goes on, its main process is the one
that writes; worker processes never open the database, and readers (`status`, `list`, a report)
may come at any time and see the last finished transaction. A second writer is safe too: every
write is one transaction, taken with the write lock held from its start, and every insert is an
upsert on the row's natural key. A `Store` may be shared by threads, but not carried over a fork.
"""
