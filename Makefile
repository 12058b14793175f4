.DEFAULT_GOAL := help
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: proto
proto: ## Generate the gRPC stubs from proto/ into crdt_sync/rpc (PROTO_OUT changes the place)
	$(BIN)/python -m grpc_tools.protoc -Iproto --python_out=$(PROTO_OUT) --pyi_out=$(PROTO_OUT) --grpc_python_out=$(PROTO_OUT) proto/ticketsync/v1/*.proto
	sed -i 's/^from ticketsync\.v1 import/from crdt_sync.rpc.ticketsync.v1 import/' $(PROTO_OUT)/ticketsync/v1/*.py $(PROTO_OUT)/ticketsync/v1/*.pyi
PROTO_OUT ?= crdt_sync/rpc
