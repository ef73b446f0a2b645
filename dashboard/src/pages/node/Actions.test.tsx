import { render, screen, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { Provider } from 'react-redux';
import { MemoryRouter } from 'react-router';
import { expect, test, vi } from 'vitest';
import { link } from '../../api/colony';
import type { Node, Tokens } from '../../api/types';
import { began } from '../../state/session';
import { makeStore } from '../../state/store';
import { Actions } from './Actions';

const AWAY = { by: 'ada', since: 1, reason: '', until: null, here: false, caste: '' };

function show(node: Partial<Node>, role: Tokens['role'] = 'admin') {
  const store = makeStore();
  const tokens = { access_token: 'a', refresh_token: 'r', role } as Tokens;
  store.dispatch(began({ user: 'ada', tokens }));
  const whole = { id: 'id-4', name: 'demo-4', role: 'worker', status: 'ready', away: null, ...node } as Node;
  render(
    <Provider store={store}>
      <MemoryRouter>
        <Actions node={whole} />
      </MemoryRouter>
    </Provider>,
  );
}

test.each([
  [null, 'Send away', 'Send demo-4 away?', 'Send away', 'PUT'],
  [AWAY, 'Bring back', 'Is demo-4 back?', 'It is back', 'DELETE'],
] as const)('a node is sent away and brought back: %o', async (away, button, title, verb, method) => {
  const send = vi
    .spyOn(link, 'send')
    .mockResolvedValue({ status: 200, headers: new Headers(), body: {} } as never);
  show({ away, status: away ? 'away' : 'ready' });
  await userEvent.click(screen.getByRole('button', { name: button }));
  const dialog = within(screen.getByRole('dialog', { name: title }));
  await userEvent.click(dialog.getByRole('button', { name: verb }));
  expect(send).toHaveBeenCalledWith(expect.objectContaining({ method, path: 'v1/nodes/id-4/away' }));
  send.mockRestore();
});

test('what interrupts a node is offered while it answers, away or not', () => {
  show({ away: { ...AWAY, here: true }, status: 'away' });
  expect(screen.getByRole('button', { name: 'Restart the agent' })).toBeEnabled();
});

test('who may not do it sees whose it is', () => {
  show({}, 'operator');
  expect(screen.getByRole('button', { name: 'Send away' })).toBeDisabled();
  expect(screen.getAllByText(/This takes the role admin/).length).toBeGreaterThan(1);
});
