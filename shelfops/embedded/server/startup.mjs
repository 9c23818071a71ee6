// The settings a client asks for in its start-up packet.

const NOT_SETTINGS = new Set(['user', 'database', 'options', 'replication'])

// "-c name=value --name=value", blanks escaped with a backslash.
export function readOptions(text) {
  const words = text.match(/(?:\\[^]|[^\s\\])+/g) ?? []
  const settings = []
  for (let at = 0; at < words.length; at++) {
    let word = words[at].replace(/\\([^])/g, '$1')
    if (word === '-c') word = (words[++at] ?? '').replace(/\\([^])/g, '$1')
    else word = word.replace(/^-c|^--/, '')
    const equals = word.indexOf('=')
    if (equals > 0) settings.push([word.slice(0, equals).replaceAll('-', '_'), word.slice(equals + 1)])
  }
  return settings
}

export function startupSettings(parameters) {
  const named = Object.entries(parameters).filter(
    ([name]) => !NOT_SETTINGS.has(name) && !name.startsWith('_pq_.'),
  )
  const settings = [...readOptions(parameters.options ?? ''), ...named]
  return { settings, parameters: (user) => expected(settings, user) }
}

// What the backend is going to report once it works for this client: log-in does not
// wait for its turn. Where this guess is wrong, the first statement corrects it.
function expected(settings, user) {
  const asked = new Map(settings.map(([name, value]) => [name.toLowerCase(), value]))
  const pairs = [
    ['session_authorization', user],
    ['is_superuser', user === 'postgres' ? 'on' : 'off'],
  ]
  if (asked.has('application_name')) pairs.push(['application_name', asked.get('application_name')])
  if (asked.has('timezone')) pairs.push(['TimeZone', asked.get('timezone')])
  return pairs.map(([name, value]) => `${name}\0${value}\0`).join('')
}

// Converting between encodings crashes this build.
export function unknownEncoding(settings) {
  const asked = settings.find(([name]) => name.toLowerCase() === 'client_encoding')
  return asked && !/^(utf-?8|unicode|sql_ascii)$/i.test(asked[1]) ? asked[1] : null
}
