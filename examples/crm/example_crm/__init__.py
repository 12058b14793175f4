"""A small CRM over gRPC, and the plugin that keeps it in step with tickets."""
