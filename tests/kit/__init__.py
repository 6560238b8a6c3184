"""Tools of the tests: servers that misbehave on request, clocks, forged tokens."""
