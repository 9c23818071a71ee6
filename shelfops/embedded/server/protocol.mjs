// The PostgreSQL wire protocol, version 3: framing and the messages the server writes.

export const MAX_MESSAGE = 0x3fffffff // PostgreSQL's own limit, 1 GB
export const SSL_REQUEST = 80877103
export const GSS_REQUEST = 80877104
export const CANCEL_REQUEST = 80877102

export class ProtocolError extends Error {}

// Cuts a TCP stream into whole messages. The start-up packet has no type byte.
export class MessageReader {
  constructor() {
    this.parts = []
    this.size = 0
    this.startup = true
  }

  push(chunk) {
    this.parts.push(chunk)
    this.size += chunk.length
  }

  // The next whole message, {type, bytes}, or null. Bytes include the header.
  next() {
    const headerSize = this.startup ? 4 : 5
    if (this.size < headerSize) return null
    const header = this.#peek(headerSize)
    const length = header.readInt32BE(headerSize - 4)
    if (length < 4 || length > (this.startup ? 10000 : MAX_MESSAGE)) {
      throw new ProtocolError('invalid message length')
    }
    const total = length + headerSize - 4
    if (this.size < total) return null
    const bytes = this.#take(total)
    return { type: this.startup ? '' : String.fromCharCode(bytes[0]), bytes }
  }

  #peek(count) {
    if (this.parts[0].length < count) this.parts = [Buffer.concat(this.parts)]
    return this.parts[0]
  }

  #take(count) {
    if (this.parts[0].length < count) this.parts = [Buffer.concat(this.parts)]
    const first = this.parts[0]
    this.size -= count
    if (first.length === count) this.parts.shift()
    else this.parts[0] = first.subarray(count)
    return first.subarray(0, count)
  }
}

export function message(type, ...fields) {
  const body = fields.map((field) => (typeof field === 'string' ? cString(field) : field))
  const header = Buffer.alloc(5)
  header.write(type, 0, 'latin1')
  header.writeInt32BE(body.reduce((sum, part) => sum + part.length, 4), 1)
  return Buffer.concat([header, ...body])
}

export function cString(text) {
  return Buffer.from(text + '\0')
}

export function int32(value) {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

export function int16(value) {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

export const query = (sql) => message('Q', sql)
export const sync = () => message('S')
export const copyFail = (reason) => message('f', reason)
export const ready = (status) => message('Z', Buffer.from(status))
export const parameterStatus = (name, value) => message('S', name, value)
export const authenticationOk = () => message('R', int32(0))
export const cleartextPassword = () => message('R', int32(3))

export function errorResponse(severity, code, text, hint) {
  const fields = [
    Buffer.from('S'), severity, Buffer.from('V'), severity,
    Buffer.from('C'), code, Buffer.from('M'), text,
  ]
  if (hint) fields.push(Buffer.from('H'), hint)
  return message('E', ...fields, Buffer.from([0]))
}

// The NUL-terminated string at `offset`, and where the next field begins.
export function readString(bytes, offset) {
  const end = bytes.indexOf(0, offset)
  if (end < 0) throw new ProtocolError('a string is not terminated')
  return { text: bytes.toString('utf8', offset, end), next: end + 1 }
}

export function readStartup(bytes) {
  const code = bytes.readInt32BE(4)
  const parameters = {}
  if (code >>> 16 !== 3) return { code, parameters }
  let offset = 8
  while (bytes[offset]) {
    const name = readString(bytes, offset)
    const value = readString(bytes, name.next)
    parameters[name.text] = value.text
    offset = value.next
  }
  return { code, parameters }
}

// {fieldType: text} of an ErrorResponse or NoticeResponse body.
export function readFields(body) {
  const fields = {}
  let offset = 0
  while (body[offset]) {
    const value = readString(body, offset + 1)
    fields[String.fromCharCode(body[offset])] = value.text
    offset = value.next
  }
  return fields
}

export function readRow(body) {
  const values = []
  let offset = 2
  for (let left = body.readInt16BE(0); left > 0; left--) {
    const length = body.readInt32BE(offset)
    offset += 4
    values.push(length < 0 ? null : body.toString('utf8', offset, offset + length))
    offset += Math.max(length, 0)
  }
  return values
}
