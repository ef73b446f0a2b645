"""Jobs: the table of operations, what is on record of each job, and the process that runs its playbook."""
