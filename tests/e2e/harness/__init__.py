"""What the scenarios are written with: programs under test, real servers, and a client that says exactly what it is told."""
