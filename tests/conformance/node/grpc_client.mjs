// A foreign client: @grpc/grpc-js, Yjs, and the .proto files of the repository alone. Usage: node ... HOST:PORT
// Every document is on one stream. Besides what all clients can do it makes transitions, watches the events and renews its
// token.

import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { run, say } from './commands.mjs'
import { detailsOf } from './grpc_errors.mjs'

const PROTO = fileURLToPath(new URL('../../../proto', import.meta.url))
const FILES = ['sync', 'tickets', 'events'].map((name) => `ticketsync/v1/${name}.proto`)
const RETRY_MS = 500
const OPTIONS = {
  'grpc.keepalive_time_ms': 20_000, // a service that is gone without a word is noticed within half a minute
  'grpc.keepalive_timeout_ms': 10_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000
}

const loaded = loadSync(FILES, { includeDirs: [PROTO], keepCase: true, longs: Number, enums: String, oneofs: true })
const { ticketsync: { v1 } } = grpc.loadPackageDefinition(loaded)
const credentials = grpc.credentials.createInsecure()
const [syncService, ticketService, eventService] = [v1.SyncService, v1.TicketService, v1.EventService].map(
  (Service) => new Service(process.argv[2], credentials, OPTIONS)
)

let token = null
const metadata = () => {
  const made = new grpc.Metadata()
  made.set('authorization', `Bearer ${token}`)
  return made
}

// What a caller may try again: the status says so, whatever the code (https://grpc.io/docs/guides/status-codes).
const again = new Set([grpc.status.UNAVAILABLE, grpc.status.INTERNAL, grpc.status.UNKNOWN])

class SyncedDocument {
  // `offered`: the service asked for what it lacks and got it, so later updates go as they are made.
  offered = false
  unanswered = new Map() // batch id -> whether it may be offered again

  constructor (name, doc) {
    this.name = name
    this.doc = doc
    this.awareness = new Awareness(doc)
    doc.on('update', (update, origin) => origin !== this && this.offered && this.push('update', update))
    this.awareness.on('update', ({ added, updated, removed }, origin) => {
      if (origin !== this) this.present([...added, ...updated, ...removed])
    })
  }

  join () {
    this.offered = false
    this.unanswered.clear()
    send(this.name, { open: {} })
    send(this.name, { step1: Y.encodeStateVector(this.doc) })
  }

  lost () {
    this.offered = false
    const others = [...this.awareness.getStates().keys()].filter((id) => id !== this.doc.clientID)
    removeAwarenessStates(this.awareness, others, this)
  }

  present (clients) {
    send(this.name, { awareness: encodeAwarenessUpdate(this.awareness, clients) })
  }

  push (kind, data) {
    const lost = kind === 'update' && toLose > 0
    if (lost) toLose -= 1
    if (lost) return
    const batchId = randomBytes(8)
    this.unanswered.set(batchId.toString('hex'), null)
    send(this.name, { [kind]: { data, batch_id: batchId } })
    this.tell('unsynced', { number: this.unanswered.size })
  }

  tell (event, fields) {
    say({ event, document: this.name, ...fields })
  }

  take (frame) {
    this[`on_${frame.body}`]?.(frame[frame.body])
  }

  on_opened ({ read_only: readOnly }) {
    this.tell('authenticated', { scope: readOnly ? 'readonly' : 'read-write' })
    if (this.awareness.getLocalState() !== null) this.present([this.doc.clientID])
  }

  on_closed ({ code, message }) {
    this.offered = false
    this.tell('denied', { reason: `${code}: ${message}` })
  }

  on_step1 (stateVector) {
    for (const [id, status] of this.unanswered) {
      if (status === 'ACK_STATUS_UNAVAILABLE') this.unanswered.delete(id) // this answer holds it
    }
    this.offered = true
    this.push('step2', Y.encodeStateAsUpdate(this.doc, stateVector))
  }

  on_step2 (update) {
    Y.applyUpdate(this.doc, update, this)
    this.tell('synced', { synced: true })
  }

  on_update (update) {
    Y.applyUpdate(this.doc, update, this)
  }

  on_awareness (update) {
    applyAwarenessUpdate(this.awareness, update, this)
  }

  on_ack ({ batch_id: batchId, status, code, position }) {
    const id = batchId.toString('hex')
    if (status === 'ACK_STATUS_OK') this.unanswered.delete(id)
    else this.unanswered.set(id, status)
    this.tell('ack', { status, code: code ?? '', position })
    this.tell('unsynced', { number: this.unanswered.size })
  }
}

const documents = new Map()
let stream = null
let wanted = true
let attempts = 0
let toLose = 0

const send = (document, body) => stream?.write({ frames: [{ document, ...body }] })

const connect = () => {
  wanted = true
  if (stream !== null || documents.size === 0) return
  attempts += 1
  const mine = syncService.Sync(metadata())
  stream = mine
  mine.on('data', ({ frames }) => frames.forEach((frame) => {
    if (frame.body === 'token_request') say({ event: 'token_request' })
    else documents.get(frame.document)?.take(frame)
  }))
  mine.on('error', (error) => ended(mine, error))
  mine.on('end', () => ended(mine, { code: grpc.status.UNAVAILABLE }))
  for (const document of documents.values()) document.join()
}

const ended = (mine, error) => {
  if (stream !== mine) return
  stream = null
  for (const document of documents.values()) document.lost()
  const { code, retry_ms: retryMs } = detailsOf(error)
  say({ event: 'close', document: null, status: grpc.status[error.code], code, retry_ms: retryMs })
  if (!wanted) return
  if (again.has(error.code)) setTimeout(() => wanted && connect(), retryMs ?? RETRY_MS)
  else for (const document of documents.values()) document.tell('denied', { reason: `${code}: ${error.details}` })
}

const disconnect = () => {
  wanted = false
  stream?.cancel()
}

let watching = null
let position = null // of the last response of the watch that was handled

// Watches behind `position`, again and again; without one, from now on.
const watch = () => {
  const mine = eventService.Watch(metadata())
  watching = mine
  mine.on('data', ({ events = [], position: reached, token_request: tokenRequest }) => {
    for (const text of events) say({ event: 'told', ...JSON.parse(text) })
    position = reached ?? 0
    say({ event: 'position', position })
    if (tokenRequest) say({ event: 'token_request', of: 'watch' })
  })
  mine.on('error', (error) => {
    const { code, retry_ms: retryMs } = detailsOf(error)
    say({ event: 'unwatched', status: grpc.status[error.code], code, retry_ms: retryMs })
    if (again.has(error.code)) setTimeout(watch, retryMs ?? RETRY_MS)
  })
  mine.write(position === null ? {} : { after_position: position })
}

// Makes a call and says how it went, as `event`.
const call = (method, request, event, told) =>
  ticketService[method](request, metadata(), { deadline: Date.now() + 20_000 }, (error, answer) =>
    say(error ? { event: 'failed', call: method, status: grpc.status[error.code], ...detailsOf(error) } : { event, ...told(answer) }))

run({
  open (name, doc, newToken) {
    token ??= newToken
    const document = new SyncedDocument(name, doc)
    documents.set(name, document)
    if (stream === null) connect()
    else document.join()
    return document
  },
  connect,
  disconnect,
  attempts: () => attempts,
  // A fresh token, for the open stream and for all that comes.
  token: ({ token: fresh }) => {
    token = fresh
    send('', { token: { token } })
    watching?.write({ token: { token } })
  },
  lose: ({ updates }) => { toLose = updates },
  stop_reading: () => stream.pause(),
  read: () => stream.resume(),
  watch: ({ after = null }) => {
    position = after
    watch()
  },
  get: ({ ticket }) =>
    call('Get', { id: ticket }, 'ticket', ({ ticket: { id, version, stage } }) => ({ id, version, stage })),
  transition: ({ ticket, lane, name, seen }) =>
    call('Transition', { id: ticket, lane, name, seen }, 'transitioned', (answer) => ({ stage: answer.ticket.stage }))
})
