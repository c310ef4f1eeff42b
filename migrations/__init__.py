"""The history of the database schema, as Alembic revisions.

The store applies it by itself (`annotator.store.migrate`). A new revision is a new file in
`versions`, never a change to an old one, and moves `annotator.store.migrate.HEAD`.
"""
