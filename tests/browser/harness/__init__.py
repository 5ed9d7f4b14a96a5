"""What the tests of the console stand on: real hosts, real topics, and pages that are watched while they are used."""
