"""Quick-calc of carbon: this month by place and sector, with intervals whose coverage is shown."""
