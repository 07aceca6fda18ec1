import { expect, test } from 'vitest';
import { refusal, World } from './fakes.ts';

test('a list of streams is answered stream by stream, success and status; then their newest frames come', () => {
  const world = new World();
  const door = world.register('door');
  const garage = world.register('garage');
  world.frame(door, 1);
  const watcher = world.watchWith(['door', 'later', 'garage'], {});
  world.frame(garage, 11);
  world.frame(world.register('later'), 21);
  expect(watcher.socket.storyByStream).toEqual([
    'door success',
    'door status streaming',
    'later success',
    'later status offline',
    'garage success',
    'garage status online',
    'door frame 1',
    'garage status streaming',
    'garage frame 11',
    'later status online',
    'later status streaming',
    'later frame 21',
  ]);
});

test('one of the list that is another user’s is refused by its name, the others are watched', () => {
  const world = new World();
  const street = world.register('street', { userId: 'bert' });
  const encoders = [world.register('door'), street, world.register('garage')];
  const watcher = world.watchWith(['door', 'street', 'garage'], {});
  for (const encoder of encoders) world.frame(encoder, 1);
  world.alert('street');
  expect(watcher.socket.controls('error')).toMatchObject([{ code: 'UNAUTHORIZED', streamId: 'street' }]);
  expect(watcher.socket.controls('success').map(({ streamId }) => streamId)).toEqual(['door', 'garage']);
  expect(watcher.socket.frames.map(({ message }) => message['streamId'])).toEqual(['door', 'garage']);
  expect(watcher.socket.controls('alert')).toEqual([]);
});

test('one of the list that turns out to be another user’s is refused by its name when it begins', () => {
  const world = new World();
  const watcher = world.watchWith(['door', 'street'], {});
  world.frame(world.register('street', { userId: 'bert' }), 1);
  world.frame(world.register('door'), 1);
  expect(watcher.socket.controls('error')).toMatchObject([{ code: 'UNAUTHORIZED', streamId: 'street' }]);
  expect(watcher.socket.frames.map(({ message }) => message['streamId'])).toEqual(['door']);
});

test('a stream that stands in the list twice is answered once and sent once', () => {
  const world = new World();
  const door = world.register('door');
  const watcher = world.watchWith(['door', 'door'], {});
  world.frame(door, 1);
  expect(watcher.socket.story).toEqual(['success', 'status online', 'status streaming', 'frame 1']);
});

test('what was asked for holds for each of the list', () => {
  const world = new World();
  const encoders = [world.register('door'), world.register('garage')];
  const watcher = world.watchWith(['door', 'garage'], { consumes: ['video-frame'], window: 1 });
  for (const encoder of encoders) for (const number of [1, 2]) world.frame(encoder, number);
  world.alert('door');
  world.ack(watcher, 'garage', 1);
  expect(watcher.socket.frameNumbers('door')).toEqual([1]);
  expect(watcher.socket.frameNumbers('garage')).toEqual([1, 2]);
  expect(watcher.socket.controls('alert')).toEqual([]);
});

test('each of the list is a subscription of its own: one may be unsubscribed or asked for anew', () => {
  const world = new World();
  const door = world.register('door');
  const garage = world.register('garage');
  const watcher = world.watchWith(['door', 'garage', 'yard'], {});
  world.unsubscribe(watcher, 'door');
  world.subscribe(watcher, 'garage', ['alert']);
  for (const encoder of [door, garage, world.register('yard')]) world.frame(encoder, 1);
  expect(watcher.socket.frames.map(({ message }) => message['streamId'])).toEqual(['yard']);
  expect(() => world.unsubscribe(watcher, 'door')).toThrow(refusal('ROUTING_ERROR'));
});

test('what is over 1,000 streams is refused by its name, what comes before it is watched', () => {
  const world = new World();
  const watcher = world.watch('own');
  const list = Array.from({ length: 1_000 }, (_, index) => `s${index}`);
  world.subscribe(watcher, list);
  expect(watcher.socket.controls('error')).toMatchObject([{ code: 'ROUTING_ERROR', streamId: 's999' }]);
  world.frame(world.register('s998'), 1);
  world.frame(world.register('s999'), 1);
  expect(watcher.socket.frames.map(({ message }) => message['streamId'])).toEqual(['s998']);
});
