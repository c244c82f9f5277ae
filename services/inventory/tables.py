"""The tables that are written row by row through SQLAlchemy Core. The DDL is in migrations/."""

from sqlalchemy import Boolean, Column, DateTime, Double, Integer, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

item = Table(
    "item",
    metadata,
    Column("sku", Text, primary_key=True),
    Column("gtin", Text),
    Column("title", Text),
    Column("brand", Text),
    Column("category_path", ARRAY(Text)),
    Column("weight_grams", Integer),
    Column("length_millimetres", Integer),
    Column("width_millimetres", Integer),
    Column("height_millimetres", Integer),
    Column("tags", ARRAY(Text)),
    Column("prices", JSONB),
    Column("release_date", Text),
    Column("reference", Text),
    Column("format", Text),
    Column("parts", JSONB),
    Column("personalisations", JSONB),
    Column("substitutes", ARRAY(Text)),
)

stock_point = Table(
    "stock_point",
    metadata,
    Column("point_id", Text, primary_key=True),
    Column("name", Text),
    Column("type", Text),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("country", Text),
    Column("time_zone", Text),
    Column("gln", Text),
    Column("subdivision", Text),
    Column("postcode", Text),
    Column("city", Text),
    Column("opening_hours", JSONB),
    Column("closed_dates", ARRAY(Text)),
    Column("open_on_public_holidays", Boolean),
    Column("collections", JSONB),
    Column("capabilities", ARRAY(Text)),
    Column("daily_capacity", Integer),
    Column("handling_minutes", Integer),
    Column("ownership", Text),
    Column("brands", ARRAY(Text)),
)

channel = Table(
    "channel",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("name", Text),
    Column("currency", Text),
    Column("brands", ARRAY(Text)),
)

channel_point = Table(
    "channel_point",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("point_id", Text, primary_key=True),
    Column("nth", Integer),
    Column("purposes", ARRAY(Text)),
)

channel_exclusion = Table(
    "channel_exclusion",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("nth", Integer, primary_key=True),
    Column("sku", Text),
    Column("category", Text),
    Column("tag", Text),
    Column("brand", Text),
    Column("point_id", Text),
    Column("point_type", Text),
    Column("reason", Text),
    Column("from_at", DateTime(timezone=True)),
    Column("until_at", DateTime(timezone=True)),
)

buffer_rule = Table(
    "buffer_rule",
    metadata,
    Column("channel_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("nth", Integer, primary_key=True),
    Column("sku", Text),
    Column("category", Text),
    Column("point_id", Text),
    Column("point_type", Text),
    Column("quantity", Integer),
    Column("percent", Integer),
)
