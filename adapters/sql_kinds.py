"""What differs between database servers, as data: driver, quoting, session, limits, catalogue.

Run against a live server: postgresql, mariadb. The others follow their vendors' manuals and are
tested against a recording driver only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import Any

from dipgate.core.record import ServerSpec, SourceLimits

Connect = Callable[["Asked"], Any]
"""What is asked for → a DB-API connection."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One connection to open."""

    driver: ModuleType
    server: ServerSpec
    port: int
    password: str
    limits: SourceLimits
    raw: bool
    """Text as stored bytes, for a charset of the site's own."""


@dataclass(frozen=True, slots=True)
class ServerKind:
    """One kind of server. Statements use `{…}` for what is filled in by the program alone."""

    kind: str
    title: str
    driver: str
    """Module to import."""
    package: str
    """What to bring for it."""
    port: int
    paramstyle: str
    """`pyformat` (%s), `named` (:p) or `qmark` (?)."""
    quotes: tuple[str, str]
    connect: Connect
    session: tuple[str, ...]
    """Run once after connecting, and committed: read only, and the limit of one statement."""
    catalogue: str
    """name, type, width of the columns of a view; parameters: schema (or empty), view."""
    limited: str
    """An ordered select of at most so many rows."""
    raw_text: str
    """A text column as the bytes that the server stores; empty where the session does it."""
    text_types: tuple[str, ...]
    """Beginnings of the type names whose columns hold text."""
    wheels: tuple[str, ...] = ("{stem}-*-{tag}-*-{place}.whl",)
    """Files to bring for it; `{stem}` is the package, `{tag}` Python, `{place}` the machine."""
    transaction: tuple[str, ...] = ()
    """Run after the session's settings: what holds for the one transaction that reads."""
    named_cursor: bool = False
    """Rows stay at the server only when a cursor has a name."""
    raw_session: str = ""
    """Run before rows are read where text is wanted as stored bytes; empty: not needed."""
    looked: str = ""
    """The same without an order, where that differs."""
    now: str = ""
    """The server's clock: an aware time, or UTC without a zone. Empty: not asked, because no live
    server has shown that it may be."""
    grants: str = ""
    """Write privileges of the account, one per row; empty: not asked."""
    refused: tuple[str, ...] = ()
    """What in the driver's message, or its error number, means: account or database is wrong."""
    slow: tuple[str, ...] = ()
    """Likewise: the statement ran out of its time."""
    read_only: tuple[str, ...] = ()
    """Likewise: the view tried to write."""
    foreign: tuple[str, ...] = ()
    """Likewise: stored bytes are no UTF-8."""

    def quoted(self, name: str) -> str:
        """An identifier. Closing quotes inside are doubled."""
        left, right = self.quotes
        return left + name.replace(right, right * 2) + right

    def mark(self, number: int) -> str:
        """The place of the n-th parameter, from 1."""
        styles = {"pyformat": "%s", "named": f":p{number}", "qmark": "?"}
        return styles[self.paramstyle]


def _postgresql(asked: Asked) -> Any:
    return asked.driver.connect(
        host=asked.server.host,
        port=asked.port,
        dbname=asked.server.database,
        user=asked.server.user,
        password=asked.password or None,
        connect_timeout=max(int(asked.limits.connect_seconds), 1),
        application_name="dipgate",
        client_encoding="UTF8",
        options="-c default_transaction_read_only=on",
    )


def _plain(value: Any) -> str:
    return value.decode("ascii") if isinstance(value, bytes) else str(value)


def _mysql(asked: Asked) -> Any:
    types = asked.driver.constants.FIELD_TYPE
    readers = {
        **asked.driver.converters.conversions,
        # These would fail on bytes, or turn a time of day into a length of time.
        types.DECIMAL: lambda value: Decimal(_plain(value)),
        types.NEWDECIMAL: lambda value: Decimal(_plain(value)),
        types.TIME: _plain,
    }
    return asked.driver.connect(
        host=asked.server.host,
        port=asked.port,
        database=asked.server.database,
        user=asked.server.user,
        password=asked.password,
        charset="utf8mb4",
        connect_timeout=max(int(asked.limits.connect_seconds), 1),
        read_timeout=asked.limits.statement_seconds + 5,
        use_unicode=not asked.raw,
        conv=readers,
        cursorclass=asked.driver.cursors.SSCursor,
        local_infile=False,
    )


def _oracle(asked: Asked) -> Any:
    connection = asked.driver.connect(
        user=asked.server.user,
        password=asked.password,
        host=asked.server.host,
        port=asked.port,
        service_name=asked.server.database,
        tcp_connect_timeout=asked.limits.connect_seconds,
    )
    connection.call_timeout = int(asked.limits.statement_seconds * 1000)

    def exact(cursor: Any, column: Any) -> Any:
        if column.type_code is asked.driver.DB_TYPE_NUMBER:
            return cursor.var(Decimal, arraysize=cursor.arraysize)
        return None

    connection.outputtypehandler = exact
    return connection


def _sqlserver(asked: Asked) -> Any:
    return asked.driver.connect(
        server=asked.server.host,
        port=str(asked.port),
        database=asked.server.database,
        user=asked.server.user,
        password=asked.password,
        login_timeout=max(int(asked.limits.connect_seconds), 1),
        timeout=max(int(asked.limits.statement_seconds), 1),
        appname="dipgate",
        read_only=True,
    )


def _dm(asked: Asked) -> Any:
    return asked.driver.connect(
        server=asked.server.host,
        port=asked.port,
        user=asked.server.user,
        password=asked.password,
        login_timeout=max(int(asked.limits.connect_seconds), 1),
        connection_timeout=max(int(asked.limits.statement_seconds), 1),
        access_mode=asked.driver.DSQL_MODE_READ_ONLY,
    )


_STANDARD_COLUMNS = (
    "SELECT column_name, data_type, character_maximum_length FROM information_schema.columns"
    " WHERE table_schema = COALESCE(NULLIF({schema}, ''), {here}) AND table_name = {view}"
    " ORDER BY ordinal_position"
)
_ORACLE_COLUMNS = (
    "SELECT column_name, data_type, char_length FROM all_tab_columns"
    " WHERE owner = COALESCE({schema}, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA'))"
    " AND table_name = {view} ORDER BY column_id"
)
_DM_COLUMNS = _ORACLE_COLUMNS.replace("{schema}", "NULLIF({schema}, '')")
_PG_SESSION = (
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET statement_timeout = {milliseconds}",
)
_PG_GRANTS = (
    "SELECT wanted.priv FROM (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) AS"
    " wanted (priv) WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class c JOIN"
    " pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm')"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')"
    " AND has_table_privilege(c.oid, wanted.priv))"
    " UNION SELECT 'CREATE' FROM pg_catalog.pg_namespace n WHERE n.nspname NOT IN"
    " ('pg_catalog', 'information_schema', 'pg_toast')"
    " AND has_schema_privilege(n.oid, 'CREATE')"
)
_MYSQL_GRANTS = " UNION ".join(
    f"SELECT DISTINCT privilege_type FROM information_schema.{table} WHERE grantee ="  # noqa: S608
    " CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@',"
    " QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1))) AND privilege_type IN"
    " ('INSERT', 'UPDATE', 'DELETE', 'DROP', 'CREATE', 'ALTER')"
    for table in ("user_privileges", "schema_privileges", "table_privileges")
)
_PG_REFUSED = (
    "password authentication failed",
    "no pg_hba.conf entry",
    'role "',
    'database "',
    "认证失败",
    '角色 "',
    '数据库 "',
)
"""The server may speak Chinese before the session can say otherwise."""
_MYSQL_REFUSED = ("1044", "1045", "1049", "1698", "Access denied")
_MYSQL_TEXTS = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")

KINDS: tuple[ServerKind, ...] = (
    ServerKind(
        kind="postgresql",
        title="PostgreSQL",
        driver="psycopg",
        package="psycopg-binary",
        port=5432,
        paramstyle="pyformat",
        quotes=('"', '"'),
        connect=_postgresql,
        session=_PG_SESSION,
        catalogue=_STANDARD_COLUMNS.replace("{here}", "current_schema()"),
        limited="{select} LIMIT {rows}",
        raw_text="convert_to({column}::text, current_setting('server_encoding'))",
        text_types=("character", "text", "name", "user-defined", '"char"'),
        now="SELECT now()",
        grants=_PG_GRANTS,
        wheels=("psycopg-*-py3-none-any.whl", "{stem}-*-{tag}-*-{place}.whl"),
        named_cursor=True,
        refused=_PG_REFUSED,
        slow=("57014", "statement timeout"),
        read_only=("25006", "read-only transaction"),
        foreign=("22021", "22P05"),
    ),
    ServerKind(
        kind="mariadb",
        title="MariaDB",
        driver="pymysql",
        package="PyMySQL",
        port=3306,
        paramstyle="pyformat",
        quotes=("`", "`"),
        connect=_mysql,
        session=(
            "SET SESSION TRANSACTION READ ONLY",
            "SET SESSION max_statement_time = {seconds}",
        ),
        catalogue=_STANDARD_COLUMNS.replace("{here}", "DATABASE()"),
        limited="{select} LIMIT {rows}",
        raw_session="SET character_set_results = NULL",
        raw_text="",
        text_types=_MYSQL_TEXTS,
        now="SELECT UTC_TIMESTAMP()",
        grants=_MYSQL_GRANTS,
        wheels=("pymysql-*-py3-none-any.whl",),
        refused=_MYSQL_REFUSED,
        slow=("1969", "max_statement_time", "timed out", "interrupted"),
        read_only=("1792", "READ ONLY transaction"),
    ),
    ServerKind(
        kind="mysql",
        title="MySQL",
        driver="pymysql",
        package="PyMySQL",
        port=3306,
        paramstyle="pyformat",
        quotes=("`", "`"),
        connect=_mysql,
        session=(
            "SET SESSION TRANSACTION READ ONLY",
            "SET SESSION max_execution_time = {milliseconds}",
        ),
        catalogue=_STANDARD_COLUMNS.replace("{here}", "DATABASE()"),
        limited="{select} LIMIT {rows}",
        raw_session="SET character_set_results = NULL",
        raw_text="",
        text_types=_MYSQL_TEXTS,
        now="SELECT UTC_TIMESTAMP()",
        grants=_MYSQL_GRANTS,
        wheels=("pymysql-*-py3-none-any.whl",),
        refused=_MYSQL_REFUSED,
        slow=("3024", "maximum statement execution time", "timed out", "interrupted"),
        read_only=("1792", "READ ONLY transaction"),
    ),
    ServerKind(
        kind="oracle",
        title="Oracle",
        driver="oracledb",
        package="oracledb",
        port=1521,
        paramstyle="named",
        quotes=('"', '"'),
        connect=_oracle,
        session=(),
        transaction=("SET TRANSACTION READ ONLY",),
        catalogue=_ORACLE_COLUMNS,
        limited="SELECT * FROM ({select}) WHERE ROWNUM <= {rows}",
        raw_text="UTL_RAW.CAST_TO_RAW({column})",
        text_types=("CHAR", "VARCHAR2", "NCHAR", "NVARCHAR2"),
        refused=("ORA-01017", "ORA-28000", "ORA-12514"),
        slow=("DPY-4024", "ORA-03156"),
        read_only=("ORA-01456",),
    ),
    ServerKind(
        kind="sqlserver",
        title="SQL Server",
        driver="pymssql",
        package="pymssql",
        port=1433,
        paramstyle="pyformat",
        quotes=("[", "]"),
        connect=_sqlserver,
        session=("SET LOCK_TIMEOUT {milliseconds}",),
        catalogue=_STANDARD_COLUMNS.replace("{here}", "SCHEMA_NAME()"),
        limited="{select} OFFSET 0 ROWS FETCH NEXT {rows} ROWS ONLY",
        looked="SELECT TOP {rows} * FROM ({select}) AS rows_wanted",
        raw_text="CONVERT(VARBINARY(MAX), CONVERT(VARCHAR(MAX), {column}))",
        text_types=("char", "varchar", "text"),
        refused=("Login failed", "Cannot open database"),
        slow=("timed out", "timeout", "Lock request time out"),
        read_only=("permission was denied",),
    ),
    ServerKind(
        kind="dm",
        title="达梦",
        driver="dmPython",
        package="dmPython",
        port=5236,
        paramstyle="qmark",
        quotes=('"', '"'),
        connect=_dm,
        session=(),
        transaction=("SET TRANSACTION READ ONLY",),
        catalogue=_DM_COLUMNS,
        limited="{select} LIMIT {rows}",
        raw_text="CAST({column} AS VARBINARY)",
        text_types=("CHAR", "VARCHAR", "VARCHAR2", "TEXT", "CLOB"),
        refused=("用户名或密码错误", "Invalid username or password"),
        slow=("超时", "timeout"),
        read_only=("只读", "read only"),
    ),
    ServerKind(
        kind="kingbase",
        title="金仓",
        driver="ksycopg2",
        package="ksycopg2",
        port=54321,
        paramstyle="pyformat",
        quotes=('"', '"'),
        connect=_postgresql,
        session=_PG_SESSION,
        catalogue=_STANDARD_COLUMNS.replace("{here}", "current_schema()"),
        limited="{select} LIMIT {rows}",
        raw_text="convert_to({column}::text, current_setting('server_encoding'))",
        text_types=("character", "text", "name"),
        named_cursor=True,
        refused=_PG_REFUSED,
        slow=("57014", "statement timeout"),
        read_only=("25006", "read-only transaction"),
        foreign=("22021", "22P05"),
    ),
)
BY_KIND: Mapping[str, ServerKind] = {item.kind: item for item in KINDS}
