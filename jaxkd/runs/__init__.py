"""From a config to trained phases: planning, store, queue, cohorts, ensembles."""
