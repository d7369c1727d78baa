"""Community events from Kafka through Faust into ClickHouse: facts are appended, numbers are recomputed from them."""
