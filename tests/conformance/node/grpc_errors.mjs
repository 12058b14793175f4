// The details of a failed gRPC call: google.rpc.Status in the trailers, with ErrorInfo and RetryInfo
// (https://google.aip.dev/193). Their definitions are public; only the fields that are read here are repeated.

import { fromJSON } from '@grpc/proto-loader'

const types = fromJSON({
  nested: {
    Status: { fields: { details: { rule: 'repeated', type: 'Detail', id: 3 } } },
    Detail: { fields: { type_url: { type: 'string', id: 1 }, value: { type: 'bytes', id: 2 } } },
    ErrorInfo: { fields: { reason: { type: 'string', id: 1 }, domain: { type: 'string', id: 2 } } },
    RetryInfo: { fields: { retry_delay: { type: 'Delay', id: 1 } } },
    Delay: { fields: { seconds: { type: 'int64', id: 1 }, nanos: { type: 'int32', id: 2 } } }
  }
}, { keepCase: true, longs: Number, defaults: true })

// Returns `{ code, retry_ms }`: the service's stable code, and how long it asks to wait; null where it did not say.
export const detailsOf = (error) => {
  const found = { code: null, retry_ms: null }
  for (const trailer of error.metadata?.get('grpc-status-details-bin') ?? []) {
    for (const { type_url: url, value } of types.Status.deserialize(trailer).details ?? []) {
      if (url.endsWith('/google.rpc.ErrorInfo')) {
        found.code = types.ErrorInfo.deserialize(value).reason
      } else if (url.endsWith('/google.rpc.RetryInfo')) {
        const { seconds, nanos } = types.RetryInfo.deserialize(value).retry_delay
        found.retry_ms = seconds * 1000 + nanos / 1e6
      }
    }
  }
  return found
}
