"""Run by alembic: migrates the connection that `dipgate.store.schema` hands over."""

from alembic import context

import dipgate.store.desk_tables
import dipgate.store.life_tables
import dipgate.store.map_tables
import dipgate.store.push_tables
import dipgate.store.reading_tables
import dipgate.store.registry_tables  # noqa: F401 - all register their tables
from dipgate.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
    render_as_batch=True,
)
context.run_migrations()
