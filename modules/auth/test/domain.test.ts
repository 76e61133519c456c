import assert from 'node:assert/strict'
import { it } from 'node:test'
import { emailKey, isEmail, isPassword } from '../src/domain/credentials.ts'
import { networkOf } from '../src/domain/network.ts'

it('e-mail addresses as people have them are taken', () => {
  for (const email of [
    'a@b.co',
    "o'neil+tag@mail.example.com",
    'x_y-z.w@a-b.example',
    'jürgen@müller.example',
    `${'l'.repeat(64)}@e.example`,
  ]) {
    assert.ok(isEmail(email), email)
  }
})

it('what is no address is refused', () => {
  const wrong = [
    '',
    '@',
    'a',
    'a@',
    '@b.co',
    'a@b',
    'a@b.',
    'a@.co',
    'a@b..co',
    'a@-b.co',
    'a@b-.co',
    'a b@c.co',
    ' a@b.co',
    'a@b.co ',
    'a@b.co\n',
    'a\r\nBcc: x@y.zz@b.co',
    'a@b@c.co',
    '.a@b.co',
    'a.@b.co',
    'a..b@c.co',
    '"a b"@c.co',
    '<a@b.co>',
    'a\u0000@b.co',
    'a\u202e@b.co',
    `${'l'.repeat(65)}@e.example`,
    `a@${'d'.repeat(64)}.example`,
    `a@${'d.'.repeat(130)}example`,
  ]
  for (const email of wrong) assert.ok(!isEmail(email), JSON.stringify(email))
})

it('an e-mail is the same in any case and any composition', () => {
  assert.equal(emailKey('Jürgen@Example.COM'), emailKey('jU\u0308rgen@example.com'))
  assert.notEqual(emailKey('a@example.com'), emailKey('b@example.com'))
})

it('a password has 8 to 128 characters, of any kind', () => {
  assert.deepEqual(
    [
      '1234567',
      '12345678',
      '        ',
      '🔑'.repeat(7),
      '🔑'.repeat(8),
      'x'.repeat(128),
      '🔑'.repeat(128),
      'x'.repeat(129),
    ].map(isPassword),
    [false, true, true, false, true, true, true, false],
  )
})

it('addresses of one IPv6 network count together, of IPv4 each by itself', () => {
  const cases = {
    '10.0.0.7': '10.0.0.7',
    '::ffff:10.0.0.7': '10.0.0.7',
    '::1': '0:0:0:0::/64',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:db8:1:2::ffff': '2001:db8:1:2::/64',
    '2001:0DB8:0001:0002::': '2001:db8:1:2::/64',
    '2001:db8::5': '2001:db8:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
  }
  assert.deepEqual(Object.keys(cases).map(networkOf), Object.values(cases))
})
