"""Settings: flag > `DVDUP_*` > `dvdup.toml` or `[tool.dvdup]` > default.

In: files, environment, flags. Out: one frozen `Config`. The dataclasses of `settings` are the only
table of settings: parsing, names of variables, `dvdup init` and the documentation come from them.
Standard library only; importing it costs a few milliseconds.
"""

from dvdup.config.edit import put_table
from dvdup.config.kinds import FAIL_ON, LOCAL, group_of, split_name_fault
from dvdup.config.load import CONFIG_NAME, load_config
from dvdup.config.settings import (
    DEFAULT_EMBEDDER,
    LAYOUTS,
    CalibrationConfig,
    Config,
    DatasetConfig,
    ReportConfig,
    Setting,
    SlicingConfig,
    StoreConfig,
    VerifyConfig,
    settings_table,
)
from dvdup.config.write import to_toml, toml_value

__all__ = [
    "CONFIG_NAME",
    "DEFAULT_EMBEDDER",
    "FAIL_ON",
    "LAYOUTS",
    "LOCAL",
    "CalibrationConfig",
    "Config",
    "DatasetConfig",
    "ReportConfig",
    "Setting",
    "SlicingConfig",
    "StoreConfig",
    "VerifyConfig",
    "group_of",
    "load_config",
    "put_table",
    "settings_table",
    "split_name_fault",
    "to_toml",
    "toml_value",
]
