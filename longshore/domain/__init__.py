"""What things are: states, specs, plans, names. Pure; imports nothing of the house but the errors."""
