"""Every setting of the pipeline: one frozen model, read once from flags, environment, `.env` and TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from streams.topics.event import ActorKind

TOML_FILE = Path("streams.toml")


class Section(BaseModel):
    """A named group of settings; unknown names are an error, so that a typing mistake cannot hide."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class KafkaSettings(Section):
    """How to reach the broker."""

    bootstrap: str = Field("127.0.0.1:9092", description="host:port of the brokers, comma-separated")
    topic_prefix: str = Field("community.", description="first part of every topic name and of the consumer groups")
    partitions: int = Field(4, ge=1, description="partitions of a family topic when `streams topics apply` creates it")
    replication_factor: int = Field(1, ge=1, description="copies of each partition when topics are created")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how clients speak to the brokers; a password without TLS is refused outside loopback"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how the password is proved"
    )
    sasl_username: str = Field("", description="user of the brokers")
    sasl_password: SecretStr = Field(SecretStr(""), description="its password; never printed")
    ssl_cafile: Path | None = Field(None, description="PEM file of the authority that signed the brokers' certificates")
    idempotence: bool = Field(
        False,
        description="idempotent producers; on with every Apache Kafka, off with the embedded broker, which has none",
    )
    session_timeout_s: float = Field(
        10.0, gt=0, description="a worker silent for this long loses its partitions; Apache Kafka takes no less than 6"
    )
    commit_interval_s: float = Field(1.0, gt=0, description="how often acknowledged offsets are committed")


class WarehouseSettings(Section):
    """How to reach ClickHouse (a server, or the embedded warehouse: both speak HTTP)."""

    url: str = Field("http://127.0.0.1:8123", description="http(s)://host:port of the ClickHouse HTTP interface")
    user: str = Field("default", description="user of ClickHouse")
    password: SecretStr = Field(SecretStr(""), description="its password; never printed")
    ssl_cafile: Path | None = Field(None, description="PEM file of the authority that signed its certificate")
    database: str = Field(
        "community",
        pattern=r"^[a-z][a-z0-9_]{0,40}$",
        description="database of the views; tables are in <database>_store",
    )
    timeout_s: float = Field(60.0, gt=0, description="one statement may take this long")

    @property
    def store(self) -> str:
        """Database of the storage tables, which only the pipeline reads and writes."""
        return f"{self.database}_store"


class IngestSettings(Section):
    """The way from Kafka to facts."""

    max_rows: int = Field(50_000, ge=1, description="rows in one insert at the most")
    max_bytes: int = Field(32 << 20, ge=1 << 16, description="bytes of records in one insert at the most")
    linger_s: float = Field(0.2, ge=0, description="wait this long for a fuller insert when there is little traffic")
    known_ids_mib: int = Field(
        64,
        ge=1,
        description="memory that tells new event ids from known ones: 2 to 4 bytes an id are enough; with less the "
        "warehouse is asked more often",
    )
    fetch_bytes: int = Field(2 << 20, ge=1 << 16, description="bytes of one partition in one fetch at the most")
    max_record_bytes: int = Field(1 << 20, ge=1024, description="a larger record is a dead letter")
    earliest_year: int = Field(1990, description="an event before this year is a dead letter")
    max_future_skew_s: float = Field(
        300.0, ge=0, description="an event further ahead is flagged and bucketed by receive time"
    )
    max_future_days: float = Field(366.0, ge=0, description="an event this far ahead is a dead letter")
    max_disorder_s: float = Field(
        10.0, ge=0, description="the watermark stays this far behind the latest event of a partition"
    )
    max_reject_ratio: float = Field(
        0.5, gt=0, le=1, description="a partition stops when more than this share is rejected"
    )
    reject_window: int = Field(1000, ge=10, description="records of one partition over which the share is taken")


class RollupSettings(Section):
    """The way from facts to aggregates."""

    minute_s: float = Field(
        0.5, ge=0, description="coalesce invalidations this long before minute buckets are recomputed"
    )
    corrections_s: float = Field(
        5.0,
        ge=0,
        description="while events come, corrections (links, flags, what is hidden) wait this long for more of them",
    )
    hour_s: float = Field(2.0, ge=0, description="the same for hour buckets")
    day_s: float = Field(5.0, ge=0, description="the same for day buckets")
    deferred_s: float = Field(30.0, ge=0, description="the same for ties and signs, which come after all others")
    duty: float = Field(
        0.5,
        gt=0,
        le=1,
        description="largest share of the time that recomputing minutes may take while events come; a quarter of it "
        "for hours, and a quarter of that for days",
    )
    deferred_duty: float = Field(0.1, gt=0, le=1, description="the same for ties and signs")
    backlog_duty: float = Field(
        0.4,
        gt=0,
        le=1,
        description="of each share, while a backlog is read: fewer recomputations of more buckets",
    )


class MetricsSettings(Section):
    """What the analysts' numbers count."""

    counted_actor_kinds: tuple[ActorKind, ...] = Field(
        ("human",),
        min_length=1,
        description="kinds of actors that every number counts; retroactive, takes effect with `streams migrate`",
    )
    smallest_cohort: int = Field(
        5,
        ge=1,
        description="views by segment withhold smaller counts of members; takes effect with `streams migrate`",
    )


class CommunitiesSettings(Section):
    """Settings of communities: see `streams communities`."""

    file: Path | None = Field(
        None, description="YAML file whose changes the worker applies; else `streams communities apply` does"
    )
    poll_s: float = Field(5.0, gt=0, description="how often the worker looks at the file")


class WorkerSettings(Section):
    """The worker process."""

    roles: tuple[Literal["ingest", "rollup"], ...] = Field(
        ("ingest", "rollup"), description="ingest stores facts, rollup recomputes numbers; one worker may do both"
    )
    host: str = Field("127.0.0.1", description="address of /health and /metrics")
    port: int = Field(9108, ge=0, le=65535, description="port of /health and /metrics; 0 picks a free one")
    stalled_after_s: float = Field(
        30.0,
        gt=0,
        description="/health fails when lag exists and offsets do not move for this long, or the broker says nothing",
    )


class Settings(BaseSettings):
    """All settings. Environment names look like `STREAMS_KAFKA__BOOTSTRAP`; TOML tables are named as the fields."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        env_prefix="STREAMS_",
        env_nested_delimiter="__",
        env_file=".env",
        # A .env may hold the variables of other programs too, docker compose's for one.
        dotenv_filtering="match_prefix",
        toml_file=TOML_FILE,
    )

    kafka: KafkaSettings = KafkaSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    ingest: IngestSettings = IngestSettings()
    rollup: RollupSettings = RollupSettings()
    metrics: MetricsSettings = MetricsSettings()
    worker: WorkerSettings = WorkerSettings()
    communities: CommunitiesSettings = CommunitiesSettings()
    data_dir: Path = Field(Path(".streams"), description="where the embedded warehouse keeps its files")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="the least that is logged")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON, one object a line"
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags win over the environment, which wins over `.env`, which wins over TOML."""
        return init_settings, env_settings, dotenv_settings, TomlConfigSettingsSource(settings_cls)
