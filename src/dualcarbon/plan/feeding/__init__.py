"""What departments and the platform tell about a plan's lines: forms, lists, evidence, review, automatic figures."""
