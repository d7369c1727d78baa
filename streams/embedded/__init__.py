"""What a machine without Kafka and ClickHouse runs instead: a broker and a warehouse as child processes."""
