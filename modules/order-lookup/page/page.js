// Orders come from anybody: what they hold only ever becomes text, never markup.

const result = document.getElementById('result')
const recent = document.getElementById('recent')
const field = document.getElementById('order-id')
const token = document.getElementById('token')

/** An element with attributes and children; children that are texts stay texts. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children.map((child) => (child instanceof Node ? child : document.createTextNode(String(child)))))
  return made
}

async function ask(path) {
  const headers = token.value === '' ? {} : { authorization: `Bearer ${token.value}` }
  const response = await fetch(path, { headers })
  const body = await response.json().catch(() => ({}))
  return { response, body }
}

/** The order that was asked for last; an answer to an earlier question comes too late. */
let asked = 0
/** An answer that is faster than this replaces what is shown; a slower one is announced. */
const patienceMs = 150

async function show(id) {
  asked += 1
  const turn = asked
  field.value = id
  history.replaceState(null, '', `#${encodeURIComponent(id)}`)
  result.setAttribute('aria-busy', 'true')
  const waiting = setTimeout(() => {
    if (turn === asked) result.replaceChildren(element('p', { class: 'hint' }, 'Looking it up …'))
  }, patienceMs)
  const view = await viewOf(id).catch(() => problem('The server did not answer. Try again.'))
  clearTimeout(waiting)
  if (turn !== asked) return
  result.replaceChildren(...view)
  result.removeAttribute('aria-busy')
}

async function viewOf(id) {
  const { response, body } = await ask(`/order/${encodeURIComponent(id)}`)
  if (response.status === 404) return problem('There is no order “', apart(id), '”.')
  if (response.status === 401) return problem('Please give an access token above.')
  if (!response.ok) return problem(body.detail ?? `The server answered ${response.status}.`)
  return orderView(body, response.headers.get('x-cache'))
}

function problem(...text) {
  return [element('p', { class: 'bad', role: 'alert' }, ...text)]
}

function orderView(order, cache) {
  const from = cache === 'hit' ? 'from memory' : 'from the database'
  return [
    element(
      'div',
      { class: 'row' },
      element('h2', {}, 'Order ', apart(order.order_uid)),
      element('span', { class: 'soft' }, from),
    ),
    element(
      'div',
      { class: 'parts' },
      part('Order', [
        ['Track number', order.track_number],
        ['Customer', order.customer_id],
        ['Created', time(order.date_created)],
        ['Service', order.delivery_service],
        ['Entry', order.entry],
        ['Locale', order.locale],
        ['Shard', element('span', {}, apart(order.shardkey), ' / ', apart(order.oof_shard))],
        ['Sm id', order.sm_id],
        ['Signature', order.internal_signature],
      ]),
      part('Delivery', [
        ['Name', order.delivery.name],
        ['Phone', order.delivery.phone],
        ['Email', order.delivery.email],
        ['Address', order.delivery.address],
        ['City', element('span', {}, apart(order.delivery.zip), ' ', apart(order.delivery.city))],
        ['Region', order.delivery.region],
      ]),
      part('Payment', [
        ['Transaction', order.payment.transaction],
        ['Request', order.payment.request_id],
        ['Paid', time(order.payment.payment_dt * 1000)],
        ['Provider', order.payment.provider],
        ['Bank', order.payment.bank],
        ['Currency', order.payment.currency],
      ]),
      totals(order),
    ),
    element('h2', {}, `Items (${order.items.length})`),
    itemsTable(order),
  ]
}

function part(title, facts) {
  const list = element('dl')
  for (const [name, value] of facts) list.append(element('dt', {}, name), element('dd', {}, value === '' ? '–' : value))
  return element('div', {}, element('h2', {}, title), list)
}

function itemsTable({ items }) {
  const number = { class: 'number' }
  const head = element(
    'tr',
    {},
    ...['Name', 'Brand', 'Size'].map((name) => element('th', { scope: 'col' }, name)),
    ...['Price', 'Sale', 'Total', 'Status'].map((name) => element('th', { scope: 'col', ...number }, name)),
  )
  const rows = items.map((item) =>
    element(
      'tr',
      { title: `chrt ${item.chrt_id}, nm ${item.nm_id}, rid ${item.rid}` },
      ...[item.name, item.brand, item.size].map((value) => element('td', {}, value)),
      ...[amount(item.price), `${item.sale} %`, amount(item.total_price), item.status].map((value) =>
        element('td', number, value),
      ),
    ),
  )
  const table = element('table', {}, element('thead', {}, head), element('tbody', {}, ...rows))
  return element('div', { class: 'table' }, table)
}

function totals({ payment }) {
  const money = (value) => element('span', {}, ...moneyOf(value, payment.currency))
  return part('Totals', [
    ['Goods', money(payment.goods_total)],
    ['Delivery', money(payment.delivery_cost)],
    ['Fee', money(payment.custom_fee)],
    ['Amount', element('strong', {}, money(payment.amount))],
  ])
}

/** What an order holds may turn the direction of writing: set apart, it turns no amount beside it. */
function apart(text) {
  return element('bdi', {}, text)
}

function moneyOf(value, currency) {
  return [apart(amount(value)), ' ', apart(currency)]
}

const grouped = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 })
// The month by its name: whether day or month comes first depends on the reader.
const dates = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

function amount(value) {
  return grouped.format(value)
}

/** A time as people read it, or as it is written where a browser cannot read it. */
function time(value) {
  const at = new Date(value)
  return Number.isNaN(at.getTime()) ? String(value) : dates.format(at)
}

async function showRecent() {
  const { response, body } = await ask('/api/v1/orders?limit=12').catch(() => ({ response: { ok: false }, body: {} }))
  if (!response.ok) {
    recent.replaceChildren(element('li', { class: 'bad' }, body.detail ?? 'They could not be read.'))
    return
  }
  if (body.orders.length === 0) {
    recent.replaceChildren(element('li', { class: 'hint' }, 'None yet: try make produce-orders'))
    return
  }
  recent.replaceChildren(...body.orders.map(recentItem))
}

function recentItem(order) {
  const { amount: paid, currency } = order.payment
  const about = element('span', { class: 'soft' }, apart(order.customer_id), ' · ', ...moneyOf(paid, currency))
  const button = element('button', { type: 'button' }, apart(order.order_uid), about)
  button.addEventListener('click', () => show(order.order_uid))
  return element('li', {}, button)
}

document.getElementById('search').addEventListener('submit', (event) => {
  event.preventDefault()
  const id = field.value.trim()
  if (id !== '') void show(id)
})
document.getElementById('refresh').addEventListener('click', showRecent)
token.addEventListener('change', showRecent)

function linkedId() {
  try {
    return decodeURIComponent(location.hash.slice(1))
  } catch {
    return ''
  }
}

void showRecent()
if (linkedId() !== '') void show(linkedId())
