"""The studio on one machine: servers, connector and an outside world on loopback."""
