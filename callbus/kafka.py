"""How to reach the broker: one description, for every client."""

import os
import ssl
from dataclasses import dataclass
from typing import Any

DEFAULT_BROKERS = "127.0.0.1:9092"
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024  # a whole call in one message: hours of talk stay below 2 MiB
MAX_MESSAGE_BYTES = MAX_DOCUMENT_BYTES + 1024 * 1024  # a dead letter wraps the largest document, and says why


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the broker is and how it lets us in. `security_protocol` and the SASL words are Kafka's own."""

    brokers: str = DEFAULT_BROKERS
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ca_file: str | None = None

    @classmethod
    def from_environment(cls, brokers: str | None = None) -> "Connection":
        """From CALLBUS_BROKERS, _SECURITY_PROTOCOL, _SASL_MECHANISM, _SASL_USERNAME, _SASL_PASSWORD and _CA_FILE."""
        read = os.environ.get
        return cls(
            brokers=brokers or read("CALLBUS_BROKERS", DEFAULT_BROKERS),
            security_protocol=read("CALLBUS_SECURITY_PROTOCOL", "PLAINTEXT"),
            sasl_mechanism=read("CALLBUS_SASL_MECHANISM", "PLAIN"),
            sasl_username=read("CALLBUS_SASL_USERNAME"),
            sasl_password=read("CALLBUS_SASL_PASSWORD"),
            ca_file=read("CALLBUS_CA_FILE"),
        )

    @property
    def principal(self) -> str:
        """Who we are to Kafka's ACLs."""
        return (self.sasl_username or "?") if self.security_protocol.startswith("SASL") else "ANONYMOUS"

    @property
    def user(self) -> str:
        """Who we are, in a sentence."""
        return f"user {self.principal}" if self.security_protocol.startswith("SASL") else "us, who give no name,"

    def client(self) -> dict[str, Any]:
        """Keyword arguments that every aiokafka client takes."""
        settings: dict[str, Any] = {"bootstrap_servers": self.brokers, "security_protocol": self.security_protocol}
        if "SSL" in self.security_protocol:
            settings["ssl_context"] = ssl.create_default_context(cafile=self.ca_file)
        if self.security_protocol.startswith("SASL"):
            settings |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        return settings
