"""Every KPI, its past and its target."""
