"""Running a study: plan, sweeps, engines, storage, search; and the commands on model folders."""
