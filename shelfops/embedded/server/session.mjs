// One client's connection: log-in, its messages in units, and its turn at the backend.

import { createHash, randomInt, timingSafeEqual } from 'node:crypto'
import { ownBytes } from './channel.mjs'
import * as protocol from './protocol.mjs'
import { startupSettings, unknownEncoding } from './startup.mjs'
import { StatementLog } from './statements.mjs'
import { DATABASE } from './template.mjs'

// Only these reach the backend: some others would make it start a log-in of its own.
const FRONTEND_TYPES = new Set('QPBDECSHFXdcf')
const UNIT_ENDS = new Set(['Q', 'S', 'F', 'H']) // Query, Sync, FunctionCall, Flush
const COPY_MESSAGES = new Set(['d', 'c', 'f'])
const PAUSE_ABOVE = 16 * 1024 * 1024 // bytes received and not yet read by the backend

class Refusal extends Error {
  constructor(code, text, hint) {
    super(text)
    this.code = code
    this.hint = hint
  }
}

export class Session {
  constructor(socket, { id, engine, passwords, onClose }) {
    Object.assign(this, { socket, id, engine, passwords, onClose })
    this.reader = new protocol.MessageReader()
    this.stage = 'startup'
    this.backlog = [] // messages that have not been sent to the backend
    this.statements = new StatementLog()
    this.saved = null
    this.reported = new Map()
    this.status = 'I'
    this.holds = false
    this.batchOpen = false // extended-protocol messages without their Sync
    this.copying = false // the backend reads COPY data
    this.lastSent = 0
    this.unread = 0 // bytes sent to the backend and not yet taken by it
    this.finished = null // {promise, resolve} of the unit the backend works on
    this.lastActivity = Date.now()
    this.closed = false
    socket.setNoDelay(true)
    socket.on('data', (chunk) => this.#onData(chunk))
    socket.on('error', () => this.#vanish())
    socket.on('close', () => this.#vanish())
    socket.on('end', () => this.#vanish())
  }

  // --- receiving ---------------------------------------------------------------------

  #onData(chunk) {
    this.lastActivity = Date.now()
    try {
      this.reader.push(chunk)
      for (let next = this.reader.next(); next && !this.closed; next = this.reader.next()) {
        this.#onMessage(next)
      }
    } catch (error) {
      this.#failed(error)
    }
    if (this.stage === 'ready') this.#proceed()
  }

  #onMessage(next) {
    if (this.stage === 'startup') this.#onStartup(next.bytes)
    else if (this.stage === 'password') this.#onPassword(next)
    else if (FRONTEND_TYPES.has(next.type)) this.backlog.push(next)
    else throw new protocol.ProtocolError('invalid frontend message type')
  }

  // One client's malformed message must not be the end of the program.
  #failed(error) {
    if (error instanceof Refusal) this.fatal(error.code, error.message, error.hint)
    else if (error.fields) this.fatal(error.fields.C, error.fields.M)
    else this.fatal('08P01', `invalid message: ${error.message}`)
  }

  #onStartup(bytes) {
    const { code, parameters } = protocol.readStartup(bytes)
    if (code === protocol.SSL_REQUEST || code === protocol.GSS_REQUEST) {
      this.socket.write('N')
    } else if (code === protocol.CANCEL_REQUEST) {
      this.socket.end() // there is nobody to interrupt a statement
    } else if (code >>> 16 !== 3) {
      throw new Refusal('08P01', 'the embedded engine speaks version 3 of the protocol')
    } else {
      this.#greet(code, parameters)
    }
  }

  #greet(code, parameters) {
    const { user, database = user, replication } = parameters
    if (replication && !/^(false|off|no|0)$/i.test(replication)) {
      throw new Refusal('0A000', 'the embedded engine: replication is not possible')
    }
    if (!user || !(user in this.passwords())) {
      throw new Refusal('28000', `role "${user}" does not exist`)
    }
    if (database !== DATABASE) {
      throw new Refusal(
        '3D000',
        `database "${database}" does not exist`,
        `The embedded engine has one database, "${DATABASE}".`,
      )
    }
    this.user = user
    this.startup = startupSettings(parameters)
    const encoding = unknownEncoding(this.startup.settings)
    if (encoding) {
      throw new Refusal('0A000', `the embedded engine: client encoding ${encoding} is not possible`)
    }
    const unknown = Object.keys(parameters).filter((name) => name.startsWith('_pq_.'))
    if (code & 0xffff || unknown.length) this.socket.write(negotiate(unknown))
    this.socket.write(protocol.cleartextPassword())
    this.reader.startup = false
    this.stage = 'password'
  }

  #onPassword({ type, bytes }) {
    if (type !== 'p') throw new Refusal('08P01', 'a password message was expected')
    const given = protocol.readString(bytes, 5).text
    if (!sameText(given, this.passwords()[this.user] ?? null)) {
      throw new Refusal('28P01', `password authentication failed for user "${this.user}"`)
    }
    this.stage = 'ready'
    this.socket.write(protocol.authenticationOk())
    this.#report(this.engine.parameters)
    this.#report(this.startup.parameters(this.user))
    const key = [protocol.int32(this.id), protocol.int32(randomInt(2 ** 31))]
    this.socket.write(protocol.message('K', ...key))
    this.socket.write(protocol.ready('I'))
  }

  // --- units of work -----------------------------------------------------------------

  #proceed() {
    if (this.copying) this.#forwardCopy()
    else this.#pump()
  }

  async #pump() {
    if (this.pumping) return
    this.pumping = true
    try {
      for (let unit = this.#takeUnit(); unit && !this.closed; unit = this.#takeUnit()) {
        await this.#perform(unit)
      }
    } catch (error) {
      this.#failed(error)
    } finally {
      this.pumping = false
    }
  }

  // Messages up to the next one that a client waits on, or null.
  #takeUnit() {
    const end = this.backlog.findIndex(({ type }) => UNIT_ENDS.has(type) || type === 'X')
    if (end < 0) return null
    const unit = this.backlog.splice(0, end + 1).filter(({ type }) => !COPY_MESSAGES.has(type))
    if (unit.at(-1).type === 'X') {
      this.socket.end()
      this.#vanish()
      return null
    }
    return unit
  }

  async #perform(unit) {
    // A Flush with nothing before it would only take a turn and not give it back.
    if (!this.batchOpen && unit.length === 1 && unit[0].type === 'H') return
    if (!this.holds) {
      await this.engine.acquire(this)
      if (this.closed) return this.engine.release(this)
      this.holds = true
    }
    this.batchOpen = true
    const followed = unit.map(({ type, bytes }) => this.statements.follow(type, bytes))
    const injected = followed.flatMap(({ inject }) => (inject ? [inject] : []))
    await this.#send(followed.map(({ bytes }) => bytes), injected)
    if (!this.closed && this.status === 'I' && !this.batchOpen) {
      if (this.statements.discarded) this.#startAfresh()
      this.holds = false
      this.engine.release(this)
    }
  }

  // This build resets to its own defaults; a server, to what the client asked for at log-in.
  #startAfresh() {
    this.statements.discarded = false
    this.saved = null
    this.engine.unload(this)
  }

  #send(parts, injected = []) {
    this.finished = Promise.withResolvers()
    this.#feed(parts, injected)
    return this.finished.promise
  }

  #feed(parts, injected = []) {
    const data = ownBytes(parts)
    this.unread += data.length
    this.lastActivity = Date.now()
    this.lastSent = this.engine.feed(data, injected.length ? ownBytes(injected) : undefined)
  }

  // Up to the end of the data; what follows it is the next unit's. A Sync goes along: the
  // COPY ignores it, but where it has failed by now the client waits for the answer.
  #forwardCopy() {
    const parts = []
    while (this.copying && this.backlog.length) {
      const { type, bytes } = this.backlog.shift()
      if (type === 'X') return this.#vanish()
      if (!COPY_MESSAGES.has(type) && type !== 'S' && type !== 'H') {
        return this.fatal('08P01', `unexpected message "${type}" during COPY from stdin`)
      }
      parts.push(bytes)
      if (type === 'c' || type === 'f') this.copying = false
    }
    if (parts.length) this.#feed(parts)
    if (this.unread > PAUSE_ABOVE) this.socket.pause()
  }

  // The backend waits for data; not so if it has not seen yet what was sent last.
  #onCopying(id) {
    if (id !== this.lastSent) return
    this.copying = true
    if (this.closed) this.#endCopy()
    else this.#forwardCopy()
  }

  #endCopy() {
    this.copying = false
    this.#feed([protocol.copyFail('the client has gone'), protocol.sync()])
  }

  // --- what the engine tells ---------------------------------------------------------

  onOutput(data, written) {
    if (this.closed) return written()
    this.socket.write(data, () => {
      this.lastActivity = Date.now()
      written()
    })
  }

  onProgress({ kind, id, ready, parameters, bytes }) {
    this.lastActivity = Date.now()
    if (kind === 'taken') return this.#onTaken(bytes)
    if (kind === 'copying') return this.#onCopying(id)
    this.copying = false
    if (ready) this.#onReady(ready, parameters)
    if (id === this.lastSent) {
      this.#onTaken(this.unread)
      this.finished?.resolve()
      this.finished = null
    }
  }

  #onReady(status, parameters) {
    this.status = status
    this.batchOpen = false
    if (parameters !== undefined) this.#report(parameters)
    this.#write(protocol.ready(status))
  }

  #onTaken(bytes) {
    this.unread -= bytes
    if (this.socket.isPaused() && this.unread < PAUSE_ABOVE / 2) this.socket.resume()
  }

  #write(bytes) {
    if (!this.closed) this.socket.write(bytes)
  }

  // ParameterStatus for what is new or different: "name\0value\0name\0value\0..."
  #report(parameters) {
    const fields = parameters.split('\0')
    for (let at = 0; at + 1 < fields.length; at += 2) {
      const [name, value] = fields.slice(at, at + 2)
      if (this.reported.get(name) === value) continue
      this.reported.set(name, value)
      this.#write(protocol.parameterStatus(name, value))
    }
  }

  // --- hand-over ---------------------------------------------------------------------

  // What to save, or null where nothing has changed since the last time.
  saving() {
    if (this.saved && !this.statements.sessionChanged) return null
    return {
      customNames: [...this.statements.customNames],
      encoding: this.reported.get('client_encoding'),
    }
  }

  onSaved(saved) {
    this.saved = saved
    this.statements.sessionChanged = false
  }

  restoring() {
    const first = { settings: this.startup.settings, asRole: null, prepared: [], first: true }
    return { role: this.user, ...(this.saved ?? first) }
  }

  onLoaded(parameters) {
    this.statements.unload()
    this.#report(parameters)
  }

  // --- the end -----------------------------------------------------------------------

  // Milliseconds that others have been waiting for this client alone.
  idleFor(now) {
    const inHands = this.finished === null || this.copying || this.socket.writableLength > 0
    return this.holds && inHands ? now - this.lastActivity : 0
  }

  fatal(code, text, hint) {
    if (this.closed) return
    this.socket.end(protocol.errorResponse('FATAL', code, text, hint))
    this.#vanish()
  }

  // The engine is gone: there is nothing to clean up in it.
  onTrap(text) {
    this.holds = false
    this.fatal('57P02', text)
  }

  async #vanish() {
    if (this.closed) return
    this.closed = true
    this.onClose(this)
    this.engine.withdraw(this)
    setTimeout(() => this.socket.destroy(), 1000).unref()
    if (!this.holds) return
    if (this.copying) this.#endCopy()
    await this.finished?.promise
    await this.engine.call('abandon')
    this.engine.release(this)
  }
}

function sameText(given, expected) {
  const [a, b] = [given, `${expected}`].map((text) => createHash('sha256').update(text).digest())
  return expected !== null && timingSafeEqual(a, b)
}

function negotiate(unknown) {
  const count = protocol.int32(unknown.length)
  return protocol.message('v', protocol.int32(0), count, ...unknown)
}
