"""One database: asked for its columns and bounds by JDBC itself, read in parallel by Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar

from pyspark.sql import DataFrame, SparkSession

from contracts.databases import Connection
from spark_jobs.layers.extraction.dialects import CONNECT_SECONDS, Dialect, dialect_of, driver_url
from spark_jobs.layers.extraction.failures import SourceRefusedError, explained

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Credentials:
    """A user and a password; the password stands in no representation."""

    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def properties(self) -> dict[str, str]:
        return {"user": self.user, "password": self.password} if self.user else {}


@dataclass(frozen=True)
class SourceColumn:
    """A column as the driver describes it: `code` is its java.sql.Types code or one of the driver's own."""

    name: str
    code: int
    kind: str
    precision: int
    scale: int
    signed: bool = True


class Database:
    """Speaks to the database of a connection for one table; errors come out explained."""

    def __init__(self, spark: SparkSession, connection: Connection, credentials: Credentials, table: str) -> None:
        self.connection = connection
        self.dialect: Dialect = dialect_of(connection)
        self._spark, self._credentials, self._table = spark, credentials, table
        self._url = driver_url(connection.url)
        self._jvm: Any = spark._jvm
        self._mark = '"'

    def describe(self, relation: str) -> tuple[SourceColumn, ...]:
        """Return the columns of a table or query, without reading a row."""
        with self._explaining(), self._statement() as statement:
            self._mark = statement.getConnection().getMetaData().getIdentifierQuoteString().strip() or '"'
            meta = statement.executeQuery(f"SELECT * FROM {relation} WHERE 1 = 0").getMetaData()
            return tuple(
                SourceColumn(
                    meta.getColumnLabel(place),
                    meta.getColumnType(place),
                    meta.getColumnTypeName(place),
                    meta.getPrecision(place),
                    meta.getScale(place),
                    meta.isSigned(place),
                )
                for place in range(1, meta.getColumnCount() + 1)
            )

    def quote(self, name: str) -> str:
        """Return an identifier between the quotation marks that the database wants; known once it is described."""
        return f"{self._mark}{name.replace(self._mark, self._mark * 2)}{self._mark}"

    def ask(self, sql: str, getters: Sequence[str]) -> tuple[str | None, ...]:
        """Return the one row that a query answers, as text; `getters` are ResultSet's, such as getTimestamp."""
        with self._explaining(), self._statement() as statement:
            rows = statement.executeQuery(sql)
            rows.next()
            values = (getattr(rows, getter)(place) for place, getter in enumerate(getters, 1))
            return tuple(None if value is None else _text(value) for value in values)

    def read(self, query: str, predicates: Sequence[str], schema: str, fetch_size: int) -> DataFrame:
        """Return the rows of a query: one partition, with a connection of its own, for each predicate."""
        with self._explaining():
            return self._spark.read.jdbc(
                self._url,
                f"({query}) x",
                predicates=list(predicates),
                properties={
                    **self.dialect.properties,
                    **self._credentials.properties,
                    "driver": self.dialect.driver,
                    "fetchsize": str(fetch_size),
                    "customSchema": schema,
                    "preferTimestampNTZ": "true",
                    "pushDownPredicate": "false",
                },
            )

    def explaining(self, work: Callable[[], Answer]) -> Answer:
        """Do what reads the database, and raise what an operator understands where it fails."""
        with self._explaining():
            return work()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            told = explained(error, self.connection, self._table, self._credentials.password)
            if told is error:
                raise
            raise told from None  # the chain holds the driver's text, which may hold the password

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        properties = self._jvm.java.util.Properties()
        for name, value in {**self.dialect.properties, **self._credentials.properties}.items():
            properties.setProperty(name, value)
        self._jvm.java.sql.DriverManager.setLoginTimeout(CONNECT_SECONDS)
        connection = self._driver().connect(self._url, properties)
        if connection is None:
            raise SourceRefusedError(
                f"{self._table}: {self.dialect.driver} does not know the URL {self.connection.url.split('?')[0]}"
            )
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def _statement(self) -> Iterator[Any]:
        with self._connected() as connection:
            statement = connection.createStatement()
            try:
                yield statement
            finally:
                statement.close()

    def _driver(self) -> Any:
        """Return the driver, found where Spark's own readers find it: among the jars of the session."""
        loader = self._jvm.java.lang.Thread.currentThread().getContextClassLoader()
        try:
            kind = self._jvm.java.lang.Class.forName(self.dialect.driver, True, loader)
        except Exception as error:
            raise SourceRefusedError(
                f"{self._table}: the driver {self.dialect.driver} of connection {self.connection.name} is not on the "
                "job's class path: name its jar in driver_jar"
            ) from error
        gateway = self._spark.sparkContext._gateway
        assert gateway is not None
        nothing = gateway.new_array(self._jvm.java.lang.Class, 0)
        return kind.getDeclaredConstructor(nothing).newInstance(gateway.new_array(self._jvm.java.lang.Object, 0))


def _text(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value.toString())
