"""Each framework's own words over the shells."""
