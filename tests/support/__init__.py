"""What tests and benches share: sites to run, clients that talk to them, people, plans, patience."""
