"""What the tool says to people about what happens: sentences made of values, for the journal, the screen and whoever is told."""
