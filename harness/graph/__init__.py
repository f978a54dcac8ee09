"""The ground floor: the language of cases, its operations, their derivatives."""
