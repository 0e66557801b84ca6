from gads_testing.warehouse_deployment import agency, deployment, loaded

__all__ = ["agency", "deployment", "loaded"]
