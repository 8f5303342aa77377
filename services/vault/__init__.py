"""The vault as a source: the order of its access events, their way to Kafka, and what may be asked of its log.

The database writes the events itself, in the act that hands a key out (`access.vault`). This process orders and
publishes them, and holds the rights that no service that seals or unseals may have.
"""
