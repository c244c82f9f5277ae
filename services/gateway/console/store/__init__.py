"""The pages of a store's people, for a phone first: offers, picking, packing, handing over.

Complete without scripts; `store.js` makes them live, keeps taps made offline and reads scanners.
"""
